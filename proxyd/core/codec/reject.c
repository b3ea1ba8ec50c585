#include "core/codec/reject.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"
#include "core/report/log.h"
#include "http/h1_write.h"
#include "http/token.h"

void client_log_crowd(struct worker *w, const struct addr *peer)
{
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    if (!log_limited(w, LIMITED_ADDRESS))
        return;
    addr_text(&t, peer);
    log_error(w, LEVEL_INFO, "limits clients-per-address is reached by %.*s",
              SLICE_FMT(text_slice(&t)));
}

/* Nothing is kept for this connection (the address is over its limit, memory is short, the worker
 * ends): it gets what one send takes and is closed. Reading first what the client has sent already
 * keeps the kernel from answering with a reset. */
void client_reject(struct worker *w, int fd, enum fault f)
{
    char area[512], lines[256], sink[4096];
    const struct fault_info *i = fault_info(f);
    struct text t = text_in(area, sizeof area), status;
    struct msg m;
    msg_init(&m, NULL);
    msg_lend(&m, lines, sizeof lines);
    m.response = true;
    m.status = i->status;
    m.reason = status_reason(i->status);
    must(msg_add_line(&m, TOKEN_CONTENT_TYPE, SLICE("Content-Type: text/plain\r\n")) &&
         msg_compose(&m, 128, &status));
    text_lit(&status, "Proxy-Status: proxyd; error=");
    text_cstr(&status, i->proxy_status);
    text_lit(&status, "; details=\"");
    text_cstr(&status, i->token);
    text_lit(&status, "\"\r\n");
    msg_keep_line(&m, TOKEN_PROXY_STATUS, &status);
    m.body = BODY_LENGTH;
    m.body_len = strlen(i->token) + strlen(i->text) + 3;
    h1_write_head(&t, &m, 1, true);
    text_cstr(&t, i->token);
    text_lit(&t, ": ");
    text_cstr(&t, i->text);
    text_lit(&t, "\n");
    stat_fault(w->stats, f);
    stat_add(w->stats, STAT_connections_refused_total, 1);
    (void)!recv(fd, sink, sizeof sink, MSG_DONTWAIT);
    (void)!send(fd, t.p, t.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
}
