"""The HTTP layer: publishing, ranks, pages, history and health over aiohttp. It decides no score and owns no data.

HTTP statuses and problem types live here and nowhere else. It never imports the consumers.
"""
