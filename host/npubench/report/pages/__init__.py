"""The kinds of pages that a report has (see ``report.page``)."""
