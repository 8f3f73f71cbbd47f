"""Contributors: points for commits, pull requests, reviews, issues and comments, by repository and over all of them."""
