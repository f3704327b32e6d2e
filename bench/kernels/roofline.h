#pragma once

#include <cstddef>

// What this core can do at most, in 10^9 operations a second (a multiply and an add are two); 0
// where it has no such instruction.
double peak_int8_gops();
double peak_float_gops();
double peak_bf16_gops();

// Reads `bytes` once, adding up; the sum is returned so that the reads stay.
unsigned long long read_through(const char* data, size_t bytes);
