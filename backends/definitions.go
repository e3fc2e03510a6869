package backends

// definitions are in the order in which the services start and get their default ports: who is needed comes first where that is
// possible. `portico new service` adds its line at the end. Each has a file of its own.
func definitions() []definition {
	return []definition{
		userService(),
		profileService(),
		orderService(),
		paymentService(),
		notificationService(),
	}
}
