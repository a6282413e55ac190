"""Places for named bytes: a local folder or a bucket, behind one Protocol (see `base`)."""
