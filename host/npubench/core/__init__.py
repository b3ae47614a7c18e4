"""What every other part stands on: errors, paths, tools, progress, evidence, stages, formatting."""
