"""The report's sections. A module here is a section: TITLE, ORDER and ``render(runs)``.

``render`` takes the stored runs and returns Markup made with ``report.markup.fill``.
"""
