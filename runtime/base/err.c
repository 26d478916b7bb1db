/* The texts of the error codes, from the one list in err.h. */
#include "base/err.h"

const char *err_text(int code)
{
    switch (code) {
#define X(name, number, text)                                                                                          \
    case ERR_##name:                                                                                                   \
        return text;
        ERR_LIST(X)
#undef X
    default:
        return "unknown error";
    }
}
