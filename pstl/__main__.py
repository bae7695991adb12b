from pstl.cli import main

main()
