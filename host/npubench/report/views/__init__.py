"""The views: what a page answers, one question a module (see ``report.view``)."""
