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
#elif defined(NB_POST_BOXES)
/* A detector of YOLO v1's kind: for each cell NB_POST_BOXES boxes of x, y (within the cell), width,
 * height (shares of the picture) and confidence, then a score per class. The boxes with a score of
 * at least BOX_LEAST, less those that a better one of their class overlaps by half; the host's
 * stats/boxes.py does the same. The answer is how many there are, and the best one's score. */
#define BOX_VALUES 5u
#define BOX_LEAST 0.25f
#define BOX_OVERLAP 0.5f
#define BOX_LIMIT 64u
#define BOX_CLASSES (NB_POST_CHANNELS - NB_POST_BOXES * BOX_VALUES)
_Static_assert(NB_POST_ROWS * NB_POST_COLUMNS * NB_POST_CHANNELS == NB_OUTPUT_COUNT, "the grid");
_Static_assert(NB_POST_CHANNELS > NB_POST_BOXES * BOX_VALUES, "a class");

typedef struct {
    float x0, y0, x1, y1, score;
    uint32_t class;
} nb_box;

static nb_box boxes[BOX_LIMIT];
static uint32_t box_count;

/* Keep the best BOX_LIMIT boxes, best first; of equals the one that came first. */
static void keep_box(nb_box box)
{
    uint32_t place = box_count;
    while (place > 0 && boxes[place - 1].score < box.score) {
        place--;
    }
    if (place >= BOX_LIMIT) {
        return;
    }
    if (box_count < BOX_LIMIT) {
        box_count++;
    }
    for (uint32_t i = box_count - 1; i > place; i--) {
        boxes[i] = boxes[i - 1];
    }
    boxes[place] = box;
}

static void find_boxes(const uint8_t *output, uint32_t cell)
{
    const uint32_t base = cell * NB_POST_CHANNELS;
    const uint32_t first = base + NB_POST_BOXES * BOX_VALUES;
    uint32_t best = 0;
    for (uint32_t i = 1; i < BOX_CLASSES; i++) {
        if (raw_value(output, first + i) > raw_value(output, first + best)) {
            best = i;
        }
    }
    const float sure = output_value(output, first + best);
    const float column = (float)(cell % NB_POST_COLUMNS);
    const float row = (float)(cell / NB_POST_COLUMNS);
    for (uint32_t b = 0; b < NB_POST_BOXES; b++) {
        const uint32_t at = base + b * BOX_VALUES;
        const float score = output_value(output, at + 4) * sure;
        const float width = output_value(output, at + 2);
        const float height = output_value(output, at + 3);
        if (score < BOX_LEAST || width <= 0.0f || height <= 0.0f) {
            continue;
        }
        const float x = (column + output_value(output, at)) / (float)NB_POST_COLUMNS;
        const float y = (row + output_value(output, at + 1)) / (float)NB_POST_ROWS;
        keep_box((nb_box){x - width / 2.0f, y - height / 2.0f, x + width / 2.0f, y + height / 2.0f,
                          score, best});
    }
}

static bool one_object(const nb_box *a, const nb_box *b)
{
    const float width = (a->x1 < b->x1 ? a->x1 : b->x1) - (a->x0 > b->x0 ? a->x0 : b->x0);
    const float height = (a->y1 < b->y1 ? a->y1 : b->y1) - (a->y0 > b->y0 ? a->y0 : b->y0);
    if (a->class != b->class || width <= 0.0f || height <= 0.0f) {
        return false;
    }
    const float both = width * height;
    const float all = (a->x1 - a->x0) * (a->y1 - a->y0) + (b->x1 - b->x0) * (b->y1 - b->y0) - both;
    return both >= BOX_OVERLAP * all;
}

nb_answer nb_post(const uint8_t *output)
{
    box_count = 0;
    for (uint32_t cell = 0; cell < NB_POST_ROWS * NB_POST_COLUMNS; cell++) {
        find_boxes(output, cell);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < box_count; i++) {
        bool better = false;
        for (uint32_t k = 0; k < kept && !better; k++) {
            better = one_object(&boxes[i], &boxes[k]);
        }
        if (!better) {
            boxes[kept++] = boxes[i];
        }
    }
    return (nb_answer){.index = (int32_t)kept, .milli = kept ? to_milli(boxes[0].score) : 0};
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
