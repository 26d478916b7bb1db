/* The memory in which the workers of a channel share its rate limits: one bucket an operation, taken from without a
 * word to the host. Bots that are the same channel (the same secret) share one, generations follow each other on it. */
#pragma once

struct bot;
struct credentials;
int rates_fd(struct bot *b);     /* made on first use; 0 when it cannot be, and each worker then counts for itself */
void rates_follow(struct bot *b, const struct credentials *c); /* c comes in place of b's: another channel has its own */
void rates_close(struct bot *b);
