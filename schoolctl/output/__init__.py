"""The reporter: results, progress, plain lines and JSON documents."""
