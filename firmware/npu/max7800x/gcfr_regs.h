/* gcfr_regs.h: asked for by the generated cnn.c alone; all of it is in mxc.h. The generated code
 * converts between signed and unsigned as it likes: that is its vendor's business. */
#include "mxc.h"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
