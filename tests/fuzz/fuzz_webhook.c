/* Fuzzing webhook_split(): any bytes, never a wild read, and the same view of them as lua-cjson (webhook_twin.h).
 * Seeds: corpus/webhook. `make fuzz` builds and runs this with clang's libFuzzer, AddressSanitizer and UBSan. */
#include <stdint.h>

#include "webhook_twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!twin_state)
        twin_open();
    const char *wrong = twin_compare(data, n);
    if (wrong) {
        fprintf(stderr, "fuzz_webhook: %s\n", wrong);
        abort();
    }
    return 0;
}
