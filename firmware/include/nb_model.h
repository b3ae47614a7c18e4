/* nb_model.h: what the generated model (src/model/nb_model.c) offers to the harness.
 *
 * Sizes and names come from the generated nb_config.h:
 *   NB_OP_COUNT        operators of the network, in execution order (aliases included, they are free)
 *   NB_INPUT_BYTES     all inputs, one after the other
 *   NB_OUTPUT_BYTES    all outputs, one after the other
 *   NB_ARENA_BYTES     activations and scratch
 */
#ifndef NB_MODEL_H
#define NB_MODEL_H

#include <stdint.h>

typedef struct {
    const uint8_t *data;
    uint32_t bytes;
} nb_span;

/* Bring the engine from off to ready for the first input (NPU power-up, weights, driver). Returns
 * 0, or a driver's error code. May be called again. */
int32_t nb_model_init(void);

/* Copy NB_INPUT_BYTES from `input` to where the engine reads them. */
int32_t nb_model_load(const uint8_t *input);

/* All operators, in order. Returns 0, or a driver's error code. */
int32_t nb_model_infer(void);

/* One operator, `index` < NB_OP_COUNT; those before it must have run since nb_model_load. */
int32_t nb_model_op(uint32_t index);

/* Where operator `index` left its output; valid until the next operator runs. */
nb_span nb_model_op_output(uint32_t index);

/* Copy NB_OUTPUT_BYTES of outputs to `output`. */
int32_t nb_model_unload(uint8_t *output);

/* The answer drawn from `output` (NB_OUTPUT_BYTES) and, for reconstruction, `input`
 * (NB_INPUT_BYTES): see NB_POST_* in nb_config.h. */
typedef struct {
    int32_t index; /* best class, or -1 */
    int32_t milli; /* its dequantized score or the mean squared error, in thousandths */
} nb_answer;
nb_answer nb_model_post(const uint8_t *input, const uint8_t *output);

/* Dequantized score of output element `i`, in thousandths, rounded to nearest. */
int32_t nb_model_score_milli(const uint8_t *output, uint32_t i);

#endif
