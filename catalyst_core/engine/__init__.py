"""The joint of training and store: workers that run a contender each, and the launcher that starts and watches them."""
