"""From a model file to a C project: parse, analyse, plan, emit."""
