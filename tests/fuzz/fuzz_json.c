/* Fuzzing json_decode(): any bytes, never a wild read, the same values as lua-cjson's (json_twin.h), and nothing lost
 * where an allocation fails in the middle. Seeds: corpus/json. `make fuzz` builds and runs this with clang's libFuzzer,
 * AddressSanitizer and UBSan. */
#include "json_twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect(const char *wrong)
{
    if (!wrong)
        return;
    fprintf(stderr, "fuzz_json: %s\n", wrong);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint64_t turn;
    static size_t begun;
    if (!json_twin) {
        json_twin_open();
        begun = memory.used;
    }
    expect(json_twin_compare(data, n));
    expect(json_twin_starve(data, n, 1 + ++turn % 40));
    if (turn % 4096 == 0) {
        lua_settop(json_twin, 1);
        lua_gc(json_twin, LUA_GCCOLLECT);
        expect(memory.used > begun + (1 << 20) ? "memory is lost" : NULL);
    }
    return 0;
}
