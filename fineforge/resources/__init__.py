"""What an Azure object is: kinds, fields, names, owners and templates. Pure."""
