"""Pages of reports: a page is data (`page`), and is read in a browser (`markup`), as a picture (`drawn`) or as text (`plain`).

Knows nothing of clips, or of what a number means.
"""
