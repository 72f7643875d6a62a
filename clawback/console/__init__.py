"""The web console and its HTTP API. You touch it to add a page, or to change what one shows.

A page is one module of `pages` (read, build the view, render) and one view model of `views`, which
holds finished text only. `page_routes` says what a page declares: role, rate class, audit.
"""
