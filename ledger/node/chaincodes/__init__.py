"""What runs a chaincode: started here, dialled, or waited for."""
