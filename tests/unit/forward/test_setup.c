/* The page that tells how a proxy is set up: whose device it is asked from. */
#include "tests/unit/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/setup.h"

#define MOZILLA "Mozilla/5.0 ("
#define CHROME ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
#define BIT(d) (1u << SETUP_##d)

static void user_agents(void **state)
{
    (void)state;
    static const struct {
        const char *agent;
        unsigned devices;
    } rows[] = {
        { MOZILLA "X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", BIT(FIREFOX) },
        { MOZILLA "Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
          BIT(FIREFOX) },
        { MOZILLA "Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", BIT(ANDROID) },
        { MOZILLA "Windows NT 10.0; Win64; x64" CHROME "Safari/537.36 Edg/131.0.0.0",
          BIT(CHROMIUM) | BIT(WINDOWS) },
        { MOZILLA "X11; Linux x86_64" CHROME "Safari/537.36", BIT(CHROMIUM) | BIT(LINUX) },
        { MOZILLA "X11; CrOS x86_64 14541.0.0" CHROME "Safari/537.36", BIT(CHROMIUM) },
        { MOZILLA "Linux; Android 10; K" CHROME "Mobile Safari/537.36", BIT(ANDROID) },
        { MOZILLA "Macintosh; Intel Mac OS X 10_15_7" CHROME "Safari/537.36",
          BIT(CHROMIUM) | BIT(MACOS) },
        { MOZILLA "Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                  "Version/18.1 Safari/605.1.15",
          BIT(SAFARI) | BIT(MACOS) },
        { MOZILLA
          "iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
          "Version/18.1 Mobile/15E148 Safari/604.1",
          BIT(IOS) },
        { MOZILLA "iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 CriOS/131.0 "
                  "Mobile/15E148 Safari/604.1",
          BIT(IOS) },
        { MOZILLA "X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 "
                  "Safari/605.1.15",
          BIT(LINUX) }, /* GNOME Web */
        { "curl/7.88.1", 0 },
        { "", 0 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        if (setup_devices_of(slice_of(rows[i].agent)) != rows[i].devices)
            fail_msg("%s: %x", rows[i].agent, setup_devices_of(slice_of(rows[i].agent)));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(user_agents) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
