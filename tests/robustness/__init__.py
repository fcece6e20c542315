"""What must hold whatever happens, a file for each promise; `classes` says which tests show which."""
