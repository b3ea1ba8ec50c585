/* `/`: how a person sets up whatever is to use this proxy, and what was refused to that person. */
#ifndef FORWARD_SETUP_H
#define FORWARD_SETUP_H

#include "core/exchange/stage.h"
#include "base/slice.h"

/* Sections of the page. */
enum setup_device {
    SETUP_FIREFOX,
    SETUP_CHROMIUM,
    SETUP_SAFARI,
    SETUP_WINDOWS,
    SETUP_MACOS,
    SETUP_IOS,
    SETUP_ANDROID,
    SETUP_LINUX,
    SETUP_DEVICES
};

/* Answers with the page, as HTML, JSON or text, as Accept asks. */
enum verdict forward_setup(struct xchg *x);
/* Those that fit a User-Agent, a bit for each: the program and, where its settings count, the
 * system. 0: unknown. */
unsigned setup_devices_of(struct slice user_agent);

#endif
