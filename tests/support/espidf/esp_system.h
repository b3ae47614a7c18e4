/* Declarations as in ESP-IDF's API reference, for a compiler without ESP-IDF: a stand-in, no more. */
#pragma once

typedef int esp_err_t;
#define ESP_OK 0

void esp_restart(void) __attribute__((__noreturn__));
