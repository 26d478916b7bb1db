#pragma once
#define MOONLINE_VERSION "0.1.0"
