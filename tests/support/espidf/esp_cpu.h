/* Declarations as in ESP-IDF's API reference, for a compiler without ESP-IDF: a stand-in, no more. */
#pragma once
#include <stdint.h>

typedef uint32_t esp_cpu_cycle_count_t;

esp_cpu_cycle_count_t esp_cpu_get_cycle_count(void);
