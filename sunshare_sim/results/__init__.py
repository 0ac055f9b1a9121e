"""What a run leaves behind: tables, key figures, drawings, and the folder that holds them."""
