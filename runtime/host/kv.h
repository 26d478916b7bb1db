/* The host's side of the module `store`: from a worker's frame to the store's thread and back. */
#pragma once
#include <stdbool.h>
#include "base/str.h"

struct slot;

/* A KV frame of this slot's worker. false: malformed. */
bool kv_frame(struct slot *s, struct str payload);
/* The worker is gone: what it asked for may still happen, but nobody is told. Before the slot is used again. */
void kv_orphan(struct slot *s);
