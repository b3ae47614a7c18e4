/* post.c: from raw outputs to the answer. Floats live here and in input.c, never on the wire. */
#include <string.h>

#include "nb_harness.h"

#ifndef NB_OUT_I16
#define NB_OUT_I16 0
#endif

#if NB_OUT_F32
#define ELEMENT_BYTES 4u
#elif NB_OUT_I16
#define ELEMENT_BYTES 2u
#else
#define ELEMENT_BYTES 1u
#endif
_Static_assert(NB_OUTPUT_COUNT *ELEMENT_BYTES <= NB_OUTPUT_BYTES, "elements of the first output");

__attribute__((section(".nb_output"), aligned(16))) uint8_t nb_output[NB_OUTPUT_BYTES];

#if NB_OUT_F32
static float raw_value(const uint8_t *output, uint32_t i)
{
    float value;
    memcpy(&value, &output[4 * i], sizeof value);
    return value;
}

static float output_value(const uint8_t *output, uint32_t i)
{
    return raw_value(output, i);
}
#else
static int32_t raw_value(const uint8_t *output, uint32_t i)
{
#if NB_OUT_I16
    return (int16_t)(output[2 * i] | output[2 * i + 1] << 8);
#elif NB_OUT_U8
    return output[i];
#else
    return (int8_t)output[i];
#endif
}

static float output_value(const uint8_t *output, uint32_t i)
{
    return (float)(raw_value(output, i) - NB_OUT_ZERO) * NB_OUT_SCALE_F;
}
#endif

/* In thousandths, to nearest; what does not fit saturates. */
static int32_t to_milli(float value)
{
    const float scaled = value * 1000.0f;
    if (!(scaled < 2147483520.0f)) {
        return INT32_MAX;
    }
    if (scaled < -2147483520.0f) {
        return -INT32_MAX;
    }
    return (int32_t)(scaled < 0.0f ? scaled - 0.5f : scaled + 0.5f);
}

int32_t nb_post_milli(const uint8_t *output, uint32_t i)
{
    return to_milli(output_value(output, i));
}

#if NB_POST_MSE
/* The input as the network's author meant it: the uploaded float where there is one. */
static float input_value(uint32_t i)
{
    float value;
#if NB_INPUT_F32
    memcpy(&value, &nb_fixture.input[4 * i], sizeof value);
#else
#if NB_UPLOAD_KIND == NB_UPLOAD_F32LE
    if (nb_input_has_floats) {
        memcpy(&value, &nb_fixture.upload[4 * i], sizeof value);
        return value;
    }
#endif
    value = (float)((int8_t)nb_fixture.input[i] - NB_IN_ZERO) * NB_IN_SCALE_F;
#endif
    return value;
}

/* Mean squared error of the reconstruction. */
nb_answer nb_post(const uint8_t *output)
{
    float sum = 0.0f;
    for (uint32_t i = 0; i < NB_OUTPUT_COUNT; i++) {
        const float difference = output_value(output, i) - input_value(i);
        sum += difference * difference;
    }
    return (nb_answer){.index = -1, .milli = to_milli(sum / (float)NB_OUTPUT_COUNT)};
}
#else
/* The best class; the first of equals. */
nb_answer nb_post(const uint8_t *output)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < NB_OUTPUT_COUNT; i++) {
        if (raw_value(output, i) > raw_value(output, best)) {
            best = i;
        }
    }
    return (nb_answer){.index = (int32_t)best, .milli = nb_post_milli(output, best)};
}
#endif
