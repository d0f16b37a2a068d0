"""What the demonstration needs: invented patients and their images."""
