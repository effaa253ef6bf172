"""What moves codes: shapes, picks, joins, borders, sizes of images."""
