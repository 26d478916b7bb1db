/* The server's certificate and key. Each pair has gnutls credentials of its own and a session is given the credentials
 * that are current when it connects: replacing a pair is then one pointer, and nothing a running handshake uses is
 * ever changed or freed under it. */
#include "net/tls.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/err.h"
#include "base/mem.h"

#define PEM_MAX (1u << 20) /* a chain is a few KiB; this is a ceiling against being pointed at the wrong file */

struct tls_pair {
    gnutls_certificate_credentials_t credentials;
    char *cert, *key; /* PEM text, NUL-terminated; NULL once forgotten */
    unsigned holders;
};

/* The whole file with a NUL behind it, or NULL with a line in error that names the option. The caller frees. */
static char *read_file(const char *option, const char *path, char *error, size_t n)
{
    char *text = mem_alloc(PEM_MAX + 1);
    size_t len = 0;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len < PEM_MAX && (got = read(fd, text + len, PEM_MAX - len)) > 0)
        len += (size_t)got;
    int e = errno;
    if (fd >= 0)
        close(fd);
    if (fd < 0 || got < 0 || len == PEM_MAX) {
        snprintf(error, n, "%s %s cannot be read: %s", option, path,
                 len == PEM_MAX ? "too large for a PEM file" : strerror(e));
        explicit_bzero(text, len);
        free(text);
        return NULL;
    }
    text[len] = 0;
    char *exact = mem_strndup(text, len);
    explicit_bzero(text, len);
    free(text);
    return exact;
}

int tls_pair_load(const char *cert_file, const char *key_file, struct tls_pair **ret, char *error, size_t n)
{
    struct tls_pair *p = mem_zalloc(sizeof *p);
    int rc = GNUTLS_E_SUCCESS;
    p->holders = 1;
    p->cert = read_file("--tls-cert", cert_file, error, n);
    p->key = p->cert ? read_file("--tls-key", key_file, error, n) : NULL;
    if (!p->key) {
        tls_pair_release(p);
        return ERR_USAGE;
    }
    gnutls_datum_t cert = {(unsigned char *)p->cert, (unsigned)strlen(p->cert)};
    gnutls_datum_t key = {(unsigned char *)p->key, (unsigned)strlen(p->key)};
    rc = gnutls_certificate_allocate_credentials(&p->credentials);
    if (rc >= 0) /* checks that the key is the certificate's; returns an index, 0 or more, when all is well */
        rc = gnutls_certificate_set_x509_key_mem2(p->credentials, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0) {
        if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
            snprintf(error, n, "--tls-key %s does not belong to the certificate --tls-cert %s", key_file, cert_file);
        else
            snprintf(error, n, "--tls-cert %s and --tls-key %s cannot be used: %s", cert_file, key_file,
                     gnutls_strerror(rc));
        tls_pair_release(p);
        return ERR_USAGE;
    }
    *ret = p;
    return 0;
}

struct tls_pair *tls_pair_hold(struct tls_pair *p)
{
    p->holders++;
    return p;
}

void tls_pair_release(struct tls_pair *p)
{
    if (!p || --p->holders)
        return;
    if (p->credentials)
        gnutls_certificate_free_credentials(p->credentials);
    tls_pair_forget(p);
    free(p);
}

int tls_pair_use(struct tls_pair *p, void *session)
{
    return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, p->credentials) == GNUTLS_E_SUCCESS ? 0 : ERR_IO;
}

const char *tls_pair_cert_text(const struct tls_pair *p) { return p->cert; }

const char *tls_pair_key_text(const struct tls_pair *p) { return p->key; }

void tls_pair_forget(struct tls_pair *p)
{
    if (p->key)
        explicit_bzero(p->key, strlen(p->key));
    free(p->key);
    free(p->cert);
    p->key = p->cert = NULL;
}

ssize_t tls_send(void *session, const void *bytes, size_t n)
{
    ssize_t sent = gnutls_record_send(session, bytes, n);
    return sent < 0 ? ERR_IO : sent;
}

void tls_end(void *session)
{
    gnutls_bye(session, GNUTLS_SHUT_WR);
}
