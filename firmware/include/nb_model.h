/* nb_model.h: what the generated model (src/model/nb_model.c) offers to the harness.
 *
 * Sizes and names come from the generated nb_config.h:
 *   NB_OP_COUNT        operators of the network, in execution order (aliases included, they are free)
 *   NB_INPUT_BYTES     all inputs, one after the other
 *   NB_OUTPUT_BYTES    all outputs, one after the other
 *   NB_ARENA_BYTES     activations and scratch
 *
 * What comes after the network (argmax, score, mean squared error) is the harness's own, post.c.
 */
#ifndef NB_MODEL_H
#define NB_MODEL_H

#include <stdint.h>

typedef struct {
    const uint8_t *data;
    uint32_t bytes;
} nb_span;

/* Bring the engine from off to ready for the first input (NPU power-up, weights, driver). Returns
 * 0, or a driver's error code. May be called again. What the network keeps between inferences starts
 * afresh. */
int32_t nb_model_init(void);

/* Copy NB_INPUT_BYTES from `input` to where the engine reads them. */
int32_t nb_model_load(const uint8_t *input);

/* All operators, in order. Returns 0, or a driver's error code. */
int32_t nb_model_infer(void);

/* One operator, `index` < NB_OP_COUNT; those before it must have run since nb_model_load. */
int32_t nb_model_op(uint32_t index);

/* Where operator `index` left its output; valid until the next operator runs. {NULL, 0} where the
 * operator leaves none that can be seen (inside an NPU job). */
nb_span nb_model_op_output(uint32_t index);

/* Copy NB_OUTPUT_BYTES of outputs to `output`. */
int32_t nb_model_unload(uint8_t *output);

/* An engine that interprets the file says itself how much of its arena it uses. */
#ifdef NB_INTERPRETER
uint32_t nb_model_arena_used(void);
#define NB_ARENA_USED nb_model_arena_used()
#else
#define NB_ARENA_USED NB_ARENA_BYTES
#endif

#endif
