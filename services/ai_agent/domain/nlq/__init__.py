"""Understanding: from the words of a question, in Korean or English, to an interpretation."""
