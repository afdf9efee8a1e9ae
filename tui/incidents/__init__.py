"""What is wrong, since when: the rules, the incidents, and the user's command that is told of them."""
