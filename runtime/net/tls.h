/* The server's certificate and key, and the little that is said to a TLS session directly. The only file with gnutls
 * behind it; a session is passed as void * so that nobody else needs its headers. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers: every suite LINE offers that is not deprecated. */
#define TLS_PRIORITIES                                                                                                 \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA:-CIPHER-ALL:+AES-128-GCM:"             \
    "+AES-256-GCM:+CHACHA20-POLY1305:%SERVER_PRECEDENCE"

struct tls_pair; /* a certificate chain and its key, counted: connections keep the one they began with */

/* Read both PEM files and see that they belong together. 0, or ERR_USAGE with one line in error. */
int tls_pair_load(const char *cert_file, const char *key_file, struct tls_pair **ret, char *error, size_t n);
struct tls_pair *tls_pair_hold(struct tls_pair *p); /* one more holder; returns p */
void tls_pair_release(struct tls_pair *p);          /* one holder less; the last one frees. NULL is nothing */
/* Have a session that has not begun its handshake show this pair. The session's owner holds p until it is gone. */
int tls_pair_use(struct tls_pair *p, void *session);
/* The files' text, for a library that insists on it at its start; NULL after tls_pair_forget. */
const char *tls_pair_cert_text(const struct tls_pair *p);
const char *tls_pair_key_text(const struct tls_pair *p);
void tls_pair_forget(struct tls_pair *p); /* wipe and free both texts */
ssize_t tls_send(void *session, const void *bytes, size_t n); /* bytes taken, or ERR_IO */
void tls_end(void *session);                                  /* say that no more will be sent */
