#include "admin/overview_tables.h"

#include "admin/figures.h"
#include "base/stat.h"
#include "base/str.h"
#include "cache/cache.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"
#include "core/exchange/role.h"
#include "core/report/template.h"
#include "lists.h"

enum { FAILURES_SHOWN = 10, LONGEST = 1024, WIDER = 6 }; /* of a text; by how much escaping adds */

/* ---- cells ---- */

static void put(FILE *to, struct slice value, enum value_source from)
{
    char area[WIDER * LONGEST];
    struct text t = text_in(area, sizeof area);
    if (value.n > LONGEST)
        value.n = LONGEST;
    html_escaped(&t, value, from);
    fwrite(t.p, 1, t.n, to);
}

static void cell(FILE *to, const char *class, struct slice value, enum value_source from)
{
    fputs(class[0] ? "<td class=\"" : "<td", to);
    fprintf(to, class[0] ? "%s\">" : "%s>", class);
    put(to, value, from);
    fputs("</td>", to);
}

static void count_cell(FILE *to, u64 n)
{
    fputs("<td class=\"n\">", to);
    figure_count(to, (double)n);
    fputs("</td>", to);
}

static void bytes_cell(FILE *to, u64 n)
{
    fputs("<td class=\"n\">", to);
    figure_bytes(to, (double)n);
    fputs("</td>", to);
}

static void share_cell(FILE *to, u64 part, u64 whole)
{
    fputs("<td class=\"n\">", to);
    figure_share(to, part, whole);
    fputs("</td>", to);
}

/* `columns`: cells of a head row, as they are. */
static void begin(FILE *to, const char *title, const char *columns)
{
    fprintf(to, "<h2>%s</h2>\n<div class=\"scroll\"><table><thead><tr>%s</tr></thead><tbody>\n",
            title, columns);
}

static void end(FILE *to)
{
    fputs("</tbody></table></div>\n", to);
}

/* ---- listeners ---- */

/* Does it answer people itself, at an address that they can be led to? */
static bool has_pages(const struct listener *l)
{
    return slice_is(slice_of(l->role->name), "forward") && !addr_is_wildcard(&l->at->addr);
}

static void address_cell(FILE *to, const struct listener *l)
{
    fputs("<td class=\"w\">", to);
    if (has_pages(l))
        fprintf(to, "<a href=\"http://%.*s/\">", SLICE_FMT(l->text));
    put(to, l->text, VALUE_OF_ADMINISTRATOR);
    fputs(has_pages(l) ? "</a></td>" : "</td>", to);
}

void overview_listeners(struct view *v)
{
    FILE *to = v->to;
    const struct snapshot *s = v->snapshot;
    if (s == NULL || s->nlisteners == 0)
        return;
    begin(to, "Listeners",
          "<th>Name<th>Address<th class=\"n\">Connections<th class=\"n\">Requests"
          "<th class=\"n wide\">From the cache<th class=\"n wide\">Saved");
    for (u32 i = 0; i < s->nlisteners; i++) {
        const struct listener *l = &s->listeners[i];
        struct listen_sums sums = { 0 };
        listen_sums_add(&sums, l->at, s->nworkers);
        fputs("<tr><td>", to);
        put(to, l->name, VALUE_OF_ADMINISTRATOR);
        fprintf(to, "<small>%s</small></td>", l->role->name);
        address_cell(to, l);
        count_cell(to, sums.open);
        count_cell(to, sums.requests);
        fputs("<td class=\"n wide\">", to);
        figure_share(to, listen_sums_hits(&sums), listen_sums_asked(&sums));
        fputs("</td><td class=\"n wide\">", to);
        figure_bytes(to, (double)sums.saved);
        fputs("</td></tr>\n", to);
    }
    end(to);
}

/* ---- caches ---- */

static void used_cell(FILE *to, u64 used, u64 most)
{
    double percent = most ? 100.0 * (double)used / (double)most : 0;
    fputs("<td>", to);
    if (most == 0) { /* nobody has asked it for anything yet */
        fputs("unused</td>", to);
        return;
    }
    figure_bytes(to, (double)used);
    fputs(" of ", to);
    figure_bytes(to, (double)most);
    fprintf(to,
            "<svg class=\"meter\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" "
            "aria-hidden=\"true\"><rect width=\"%.1f\" height=\"1\"/></svg></td>",
            percent < 100 ? percent : 100);
}

static void disk_cell(FILE *to, const struct disk_counts *d)
{
    if (d == NULL)
        fputs("<td>none</td>", to);
    else if (d->loading)
        fputs("<td>being read</td>", to);
    else if (!d->in_service)
        fputs("<td>out of service<small>the error log says why</small></td>", to);
    else
        used_cell(to, d->log.bytes, d->log.quota);
}

static void cache_row(const char *name, const void *entry, void *ctx)
{
    FILE *to = ((struct view *)ctx)->to;
    struct cache *c = ((const struct cache_entry *)entry)->cache;
    bool has_disk;
    fputs("<tr><td>", to);
    put(to, slice_of(name), VALUE_OF_ADMINISTRATOR);
    fputs("<small>", to);
    figure_count(to, (double)atomic_load(&c->memory.objects));
    fputs(" in memory", to);
    struct disk_counts d = tier_counts(&c->tier, &has_disk);
    if (has_disk) {
        fputs(", ", to);
        figure_count(to, (double)d.log.objects);
        fputs(" on disk", to);
    }
    fputs("</small></td>", to);
    used_cell(to, atomic_load(&c->memory.budget.used), atomic_load(&c->memory.budget.most));
    disk_cell(to, has_disk ? &d : NULL);
    fputs("<td class=\"n wide\">", to);
    figure_count(to, (double)(atomic_load(&c->memory.evictions) + d.log.dropped));
    fputs("</td></tr>\n", to);
}

void overview_caches(struct view *v)
{
    if (v->caches == 0)
        return;
    begin(v->to, "Caches", "<th>Name<th>Memory<th>Disk<th class=\"n wide\">Made room");
    registry_each(v->engine->registry, &caches, cache_row, v);
    end(v->to);
}

void overview_top(struct view *v)
{
    FILE *to = v->to;
    if (v->top.n == 0)
        return;
    begin(to, "What has saved most",
          "<th>URL<th class=\"n\">Saved<th class=\"n\">Size<th class=\"n wide\">Age");
    for (unsigned i = 0; i < v->top.n; i++) {
        const struct saver *r = &v->top.row[i];
        struct slice url = { r->url, r->nurl };
        bool cut = slice_ends(url, SLICE("…"));
        url.n -= cut ? sizeof "…" - 1 : 0;
        fputs("<tr><td class=\"url\">", to);
        put(to, url, VALUE_OF_PEER);
        fputs(cut ? "…</td>" : "</td>", to);
        bytes_cell(to, r->saved);
        bytes_cell(to, r->bytes);
        fputs("<td class=\"n wide\">", to);
        figure_time(to, view_age(v, r->made_s));
        fputs("</td></tr>\n", to);
    }
    end(to);
}

/* ---- what failed ---- */

/* Whose refusals they were only the client's own page tells. */
static void lead_to_why(struct view *v)
{
    const struct snapshot *s = v->snapshot;
    for (u32 i = 0; s && i < s->nlisteners; i++)
        if (has_pages(&s->listeners[i])) {
            struct slice at = s->listeners[i].text;
            fprintf(v->to,
                    "<p class=\"note\">What was refused to it a client sees at <a "
                    "href=\"http://%.*s/why\">/why</a> of its listener.</p>\n",
                    SLICE_FMT(at));
            return;
        }
}

void overview_failures(struct view *v)
{
    FILE *to = v->to;
    enum fault f[FAULT_COUNT];
    unsigned n = view_faults(v, f);
    if (n == 0)
        return;
    fputs("<h2>Refused and failed</h2>\n<div class=\"scroll\"><table><thead><tr><th>Cause<th "
          "class=\"n\">",
          to);
    view_put_span(v);
    fputs("<th class=\"n wide\">Since the start<th class=\"n\">Of requests</tr></thead><tbody>\n",
          to);
    for (unsigned i = 0; i < n && i < FAILURES_SHOWN; i++) {
        const struct fault_info *info = fault_info(f[i]);
        fprintf(to, "<tr><td><code>%s</code><small>", info->token);
        put(to, slice_of(info->text), VALUE_OF_ADMINISTRATOR);
        fputs("</small></td>", to);
        count_cell(to, view_failed(v, f[i]));
        fputs("<td class=\"n wide\">", to);
        figure_count(to, (double)v->now.fault[f[i]]);
        fputs("</td>", to);
        share_cell(to, view_failed(v, f[i]), view_grown(v, HISTORY_REQUESTS));
        fputs("</tr>\n", to);
    }
    end(to);
    lead_to_why(v);
}

/* ---- lists ---- */

static void when_cell(struct view *v, u64 seconds, const char *class)
{
    u64 now = v->now_us / 1000000;
    fprintf(v->to, "<td class=\"%s\">", class);
    if (seconds && seconds <= now) {
        figure_time(v->to, now - seconds);
        fputs(" ago", v->to);
    } else if (seconds) {
        fputs("in ", v->to);
        figure_time(v->to, seconds - now);
    }
    fputs("</td>", v->to);
}

static void list_row(void *ctx, const struct list_status *l)
{
    struct view *v = ctx;
    FILE *to = v->to;
    if (v->rows++ == 0)
        begin(to, "Lists",
              "<th>Name<th>Source<th class=\"wide\">Read as<th class=\"n\">Entries"
              "<th class=\"n wide\">Rejected<th>Loaded<th class=\"wide\">Next");
    fputs("<tr>", to);
    cell(to, "", l->name, VALUE_OF_ADMINISTRATOR);
    fputs("<td class=\"url\">", to);
    put(to, l->source, VALUE_OF_ADMINISTRATOR);
    if (l->error[0]) {
        fputs("<small>", to);
        put(to, slice_of(l->error), VALUE_OF_PEER);
        fputs("</small>", to);
    }
    fputs("</td>", to);
    fprintf(to, "<td class=\"wide\">%s%s%s</td>", l->loaded ? l->format : "not loaded",
            l->bare ? "<small>a bare name: " : "", l->bare ? l->bare : "");
    count_cell(to, l->entries);
    fputs("<td class=\"n wide\">", to);
    figure_count(to, (double)l->rejected);
    fputs("</td>", to);
    when_cell(v, l->loaded_s, "w");
    when_cell(v, l->next_s, "w wide");
    fputs("</tr>\n", to);
}

void overview_lists(struct view *v)
{
    v->rows = 0;
    lists_each(list_row, v);
    if (v->rows)
        end(v->to);
}
