/* A few URLs of the kind that everybody asks for: an entry of a list that matches most of them was
 * not meant (the lone line "0", ".*", "."), and a text that is in one of them tells nothing. */
#ifndef FILTERS_URL_SAMPLES_H
#define FILTERS_URL_SAMPLES_H

#include "base/slice.h"

extern const struct slice url_samples[];
extern const unsigned url_samples_n;

#endif
