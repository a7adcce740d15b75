"""Collection and storage of samples, and the PromQL that reads them."""
