/* requantize.c: between integer codes of any two widths, and int16 to and from float32, portable C.
 *
 * Equals TensorFlow Lite Micro's QUANTIZE and DEQUANTIZE for these types: one requantization per
 * element, or one correctly rounded float operation.
 */
#include <string.h>

#include "nb_kernels.h"
#include "nb_requant.h"

static int32_t taken(const uint8_t **input, int32_t bytes)
{
    int16_t half;
    int32_t word;
    const uint8_t *from = *input;
    *input += bytes;
    switch (bytes) {
    case 1:
        return (int8_t)*from;
    case 2:
        memcpy(&half, from, sizeof half);
        return half;
    default:
        memcpy(&word, from, sizeof word);
        return word;
    }
}

void nb_requantize(const nb_requantize_params *p, const uint8_t *input, uint8_t *output)
{
    for (int32_t n = p->count; n > 0; n--) {
        const int32_t x = taken(&input, p->from_bytes) - p->input_zero;
        const int32_t value =
            nb_clamp(nb_requant(x, p->multiplier, p->shift) + p->output_zero, p->low, p->high);
        const int16_t half = (int16_t)value;
        switch (p->to_bytes) {
        case 1:
            *output = (uint8_t)value;
            break;
        case 2:
            memcpy(output, &half, sizeof half);
            break;
        default:
            memcpy(output, &value, sizeof value);
            break;
        }
        output += p->to_bytes;
    }
}

static inline float scale_of(const nb_quantize_params *p)
{
    float scale;
    memcpy(&scale, &p->scale_bits, sizeof scale);
    return scale;
}

void nb_quantize_f32_s16(const nb_quantize_params *p, const float *input, int16_t *output)
{
    const float scale = scale_of(p);
    for (int32_t i = 0; i < p->count; i++) {
        const float x = input[i] / scale;
        int32_t rounded = 0; /* also for a NaN */
        if (x >= 131072.0f) {
            rounded = 131072;
        } else if (x <= -131072.0f) {
            rounded = -131072;
        } else if (x >= 0.0f) {
            rounded = (int32_t)x;
            rounded += x - (float)rounded >= 0.5f ? 1 : 0;
        } else if (x < 0.0f) {
            rounded = (int32_t)x;
            rounded -= (float)rounded - x >= 0.5f ? 1 : 0;
        }
        output[i] = (int16_t)nb_clamp(rounded + p->zero, INT16_MIN, INT16_MAX);
    }
}

void nb_dequantize_s16_f32(const nb_quantize_params *p, const int16_t *input, float *output)
{
    const float scale = scale_of(p);
    for (int32_t i = 0; i < p->count; i++) {
        output[i] = scale * (float)(input[i] - p->zero);
    }
}
