/* Reading the JSON that moonline's own parts wrote, for printing. */
#pragma once
#include "base/str.h"

/* The text of a member of an object: of a string its text, else its raw JSON; "" when absent. The caller frees. */
char *json_member(struct str object, const char *name);
