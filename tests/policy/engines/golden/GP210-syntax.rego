package broken

x := 
