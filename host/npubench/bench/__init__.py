"""One run, and the matrix of them: image, session, check against the golden answer, record.

How a board is reached, a project built or a sample taken lies below; how a run looks, in report.
"""
