/* Declarations as in ESP-IDF's API reference, for a compiler without ESP-IDF: a stand-in, no more. */
#pragma once
#include "freertos/FreeRTOS.h"

typedef struct tskTaskControlBlock *TaskHandle_t;
typedef void (*TaskFunction_t)(void *);

TaskHandle_t xTaskCreateStatic(TaskFunction_t pxTaskCode, const char *pcName, uint32_t ulStackDepth,
                               void *pvParameters, UBaseType_t uxPriority,
                               StackType_t *puxStackBuffer, StaticTask_t *pxTaskBuffer);
