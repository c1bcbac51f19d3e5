package broken

decision := 1
