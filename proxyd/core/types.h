/* Forward declarations of the engine's objects, so that headers form a tree. */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include "base/types.h"

struct access_record;
struct codec;
struct conf;
struct conn;
struct dial;
struct engine;
struct intake;
struct leg;
struct listen_addr;
struct listener;
struct msg;
struct role;
struct snapshot;
struct stage;
struct store;
struct target;
struct tunnel;
struct worker;
struct xchg;

#endif
