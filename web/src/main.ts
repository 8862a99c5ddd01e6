// SPDX-License-Identifier: MIT
// Loading this module registers the elements; an embedding page may use
// <chatbox-app> (list and chat) or <chatbox-chat> (one chat) by itself.
import './ui/chatbox-app';
