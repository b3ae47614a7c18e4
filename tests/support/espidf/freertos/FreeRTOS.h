/* Declarations as in ESP-IDF's API reference, for a compiler without ESP-IDF: a stand-in, no more. */
#pragma once
#include <stdint.h>

typedef uint32_t TickType_t;
typedef uint8_t StackType_t;
typedef unsigned int UBaseType_t;
typedef struct {
    uint8_t hidden[400];
} StaticTask_t;
typedef struct QueueDefinition *QueueHandle_t;

#define portMAX_DELAY ((TickType_t)0xFFFFFFFFu)
#define configMAX_PRIORITIES 25
