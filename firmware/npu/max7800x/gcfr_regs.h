/* gcfr_regs.h: asked for by the generated cnn.c; all of it is in mxc.h. */
#include "mxc.h"
